"""jax.random.categorical, compiled."""

import jax
import jax.numpy as jnp

from steps import Step


def steps(temperature):
    jax.config.update("jax_platforms", "cpu")
    keys = iter(jax.random.split(jax.random.key(1), 1 << 16))

    @jax.jit
    def categorical(key, z):
        return jax.random.categorical(key, z / temperature)

    @jax.jit
    def confident(key, z):
        tokens = jax.random.categorical(key, z / temperature)
        p = jnp.take_along_axis(jax.nn.softmax(z), tokens[:, None], axis=-1)
        return tokens, p[:, 0]

    argmax = jax.jit(lambda z: z.argmax(-1))

    def prepare(rows):
        return jax.block_until_ready(jnp.asarray(rows))

    def done(run):
        return lambda z: jax.block_until_ready(run(next(keys), z))

    return [
        Step("draw", "jax: categorical", done(categorical), prepare),
        Step("draw + confidence", "jax: categorical, p", done(confident), prepare),
        Step("greedy", "jax: argmax", lambda z: jax.block_until_ready(argmax(z)), prepare),
    ]
