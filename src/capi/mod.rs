//! The functions of `include/demask.h`: check, convert, call, map.
//!
//! One file per object of the C ABI. The documentation comments of public items are written for C:
//! they are the documentation of the header, which is generated from these files.
//!
//! # Safety
//!
//! Every function here trusts its caller in what a pointer cannot tell, and checks everything
//! else. The **caller's promise**, which `SAFETY` comments refer to, is the one that the header
//! opens with: a pointer that is not NULL points to as many readable elements as its count says,
//! writable where the call writes; what a call writes overlaps nothing else that it is given; no
//! other thread touches it meanwhile, nor writes what the call reads; and a context comes from
//! `demask_create` and has not been destroyed.

#![allow(unsafe_code, reason = "C hands over raw pointers")]
#![allow(non_camel_case_types, reason = "the names of the C header")]
#![allow(unreachable_pub, reason = "reached from C, by symbol")]

mod boundary;
mod canvas;
mod change;
mod constraints;
mod context;
mod draw;
mod grid;
mod key;
mod level;
mod logits;
mod noise;
mod numbered;
mod plan;
mod pointer;
mod policy;
mod presets;
mod profile;
mod race;
mod rows;
mod rule;
mod schedule;
mod selection;
mod shard;
mod sizes;
mod statistics;
mod status;
mod step;
mod version;
