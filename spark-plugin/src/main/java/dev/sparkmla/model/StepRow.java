package dev.sparkmla.model;

import dev.sparkmla.policy.Sampling;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * One sequence's part of a step: a run of its tokens to compute, a prompt's chunk or the one token
 * generated last.
 *
 * @param tokens int32 {@code [n]}, n ≥ 1: the ids of the tokens at positions {@code position ..
 *     position + n - 1}; everything before them is in the cache. Where {@code previousRow} is
 *     given, n is 1 and the id means nothing
 * @param position the position of the first of them
 * @param blocks the sequence's cache blocks in order; at least {@code ceil((position + n) / 64)}
 * @param sampling how the token after the last one is chosen; empty when none is wanted (a chunk
 *     that does not end the prompt)
 * @param previousRow the row of the step submitted before whose token, perhaps not known yet, is
 *     this row's
 */
public record StepRow(
    int[] tokens,
    int position,
    int[] blocks,
    Optional<Sampling> sampling,
    OptionalInt previousRow) {}
