/**
 * How a model chooses: its router among experts, its sampler among tokens.
 *
 * <p>Here live the values that configuration, backends and CUDA kernels share, so that each choice
 * is described once. Backends compute the choice. Start at {@link dev.sparkmla.policy.RouterPolicy}
 * and {@link dev.sparkmla.policy.Sampling}.
 */
package dev.sparkmla.policy;
