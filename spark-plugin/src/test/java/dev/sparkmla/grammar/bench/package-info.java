/**
 * Measures how long reading a response format takes: {@code bin/bench formats}. Start at {@link
 * dev.sparkmla.grammar.bench.FormatBenchmark}.
 */
package dev.sparkmla.grammar.bench;
