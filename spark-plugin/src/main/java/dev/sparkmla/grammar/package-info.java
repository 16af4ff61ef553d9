/**
 * Which texts an answer may have: response formats and the automata that the sampler follows.
 *
 * <p>A {@link dev.sparkmla.grammar.ResponseFormat} is read from a JSON schema, a regular
 * expression, a list of choices or {@code json}. Its reader makes an expression, a network of
 * states is laid out for it, and the smallest deterministic automaton of that becomes a {@link
 * dev.sparkmla.policy.ByteAutomaton} for the bytes of a vocabulary's tokens.
 *
 * <p>Here live readers of formats, regular expressions over characters, and the work on automata.
 * The sampling of tokens by an automaton lives in the backends; the types of Spark's columns in
 * {@code sql}.
 */
package dev.sparkmla.grammar;
