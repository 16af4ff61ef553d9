package dev.sparkmla.compute;

/**
 * What the operations of one layer's multi-head latent attention share (DeepSeek-V2,
 * arXiv:2405.04434, section 2.1). Immutable; it does not own the parameters.
 *
 * @param layer the layer's place in the cache
 * @param shape heads, sizes and scale
 * @param rotation the rotary embedding of queries and keys
 * @param latentGain {@code [latent]}: of the latent's norm
 * @param latentEpsilon of the latent's norm
 * @param keyValue {@code [heads * (nope + value), latent]}: W_UK and W_UV by head
 */
public record LatentAttention(
    int layer,
    AttentionShape shape,
    Rotation rotation,
    WeightVector latentGain,
    float latentEpsilon,
    Weight keyValue) {}
