package dev.sparkmla.compute;

/**
 * Where the matrices of one expert come from.
 *
 * @param gate {@code [width, hidden]}
 * @param up {@code [width, hidden]}
 * @param down {@code [hidden, width]}
 */
public record ExpertSource(WeightSource gate, WeightSource up, WeightSource down) {}
