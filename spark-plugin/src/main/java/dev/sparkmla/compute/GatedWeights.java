package dev.sparkmla.compute;

/**
 * The matrices of one gated feed-forward network in a backend's memory.
 *
 * @param gateUp {@code [2 * width, hidden]}: the gate's rows, then those of what it multiplies
 * @param down {@code [hidden, width]}
 */
public record GatedWeights(Weight gateUp, Weight down) {}
