/**
 * Measures how long reading an input takes: {@code bin/bench reader}. Start at {@link
 * dev.sparkmla.jobs.bench.ReaderBenchmark}.
 */
package dev.sparkmla.jobs.bench;
