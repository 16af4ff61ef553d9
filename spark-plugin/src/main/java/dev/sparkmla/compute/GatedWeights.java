package dev.sparkmla.compute;

/**
 * The matrices of one gated product.
 *
 * @param gateUp {@code [2 * width, hidden]}: the gate's rows, then those of what it multiplies
 * @param down {@code [hidden, width]}
 */
public record GatedWeights(Weight gateUp, Weight down) {}
