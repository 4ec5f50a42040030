//! Nothing: the tests are those of `tests/` in the root of the repository.
