package dev.sparkmla.compute;

import dev.sparkmla.policy.Sampling;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * One sequence's part of a step.
 *
 * @param tokens int32 {@code [n]}, n ≥ 1: ids at positions {@code position .. position + n - 1}; n
 *     is 1, and the id means nothing, where {@code previousRow} is given
 * @param position position of the first of them; everything before it is in the cache
 * @param blocks the sequence's cache blocks in order, at least {@code ceil((position + n) / 64)}
 * @param sampling how the token after the last one is chosen; empty when none is wanted
 * @param previousRow the one token is what this sampled row of the step before was given; its id
 *     need not have reached the host
 */
public record Segment(
    int[] tokens,
    int position,
    int[] blocks,
    Optional<Sampling> sampling,
    OptionalInt previousRow) {}
