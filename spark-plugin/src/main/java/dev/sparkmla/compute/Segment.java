package dev.sparkmla.compute;

/**
 * One sequence's part of a step.
 *
 * @param tokens int32 {@code [n]}, n ≥ 1: ids at positions {@code position .. position + n - 1}
 * @param position position of the first of them; everything before it is in the cache
 * @param blocks the sequence's cache blocks in order, at least {@code ceil((position + n) / 64)}
 */
public record Segment(int[] tokens, int position, int[] blocks) {}
