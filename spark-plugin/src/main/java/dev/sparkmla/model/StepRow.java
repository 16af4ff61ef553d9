package dev.sparkmla.model;

import dev.sparkmla.compute.Sampling;
import java.util.Optional;

/**
 * One sequence's part of a step: a run of its tokens to compute, a prompt's chunk or the one token
 * generated last.
 *
 * @param tokens int32 {@code [n]}, n ≥ 1: the ids of the tokens at positions {@code position ..
 *     position + n - 1}; everything before them is in the cache
 * @param position the position of the first of them
 * @param blocks the sequence's cache blocks in order; at least {@code ceil((position + n) / 64)}
 * @param sampling how the token after the last one is chosen; empty when none is wanted (a chunk
 *     that does not end the prompt)
 */
public record StepRow(int[] tokens, int position, int[] blocks, Optional<Sampling> sampling) {}
