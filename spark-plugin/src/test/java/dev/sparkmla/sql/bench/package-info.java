/**
 * Measures the operator without a model: {@code bin/bench operator}. Start at {@link
 * dev.sparkmla.sql.bench.OperatorBenchmark}.
 */
package dev.sparkmla.sql.bench;
