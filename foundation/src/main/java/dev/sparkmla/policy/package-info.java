/**
 * How a model chooses: its router among experts, its sampler among tokens.
 *
 * <p>Here live the values that configuration, backends and CUDA kernels share, so that each choice
 * is described once. Backends compute the choice. Start at {@link
 * dev.sparkmla.policy.RouterPolicy}, {@link dev.sparkmla.policy.Sampling} and {@link
 * dev.sparkmla.policy.LogitsProcessing}.
 */
package dev.sparkmla.policy;
