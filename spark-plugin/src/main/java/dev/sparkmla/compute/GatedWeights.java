package dev.sparkmla.compute;

/**
 * The three matrices of one expert.
 *
 * @param gate {@code [width, hidden]}
 * @param up {@code [width, hidden]}
 * @param down {@code [hidden, width]}
 */
public record GatedWeights(Weight gate, Weight up, Weight down) {}
