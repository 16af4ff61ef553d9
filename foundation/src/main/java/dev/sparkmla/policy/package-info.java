/**
 * How a model chooses: its router among experts, its sampler among tokens, and which tokens a
 * constrained answer allows.
 *
 * <p>Here live the values that configuration, backends and CUDA kernels share, so that each choice
 * is described once. Backends compute the choice. Start at {@link
 * dev.sparkmla.policy.RouterPolicy}, {@link dev.sparkmla.policy.Sampling} and {@link
 * dev.sparkmla.policy.LogitsProcessing} for how a token is chosen, and at {@link
 * dev.sparkmla.policy.ByteAutomaton} for the texts that may be chosen from.
 */
package dev.sparkmla.policy;
