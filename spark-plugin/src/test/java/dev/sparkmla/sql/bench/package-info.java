/**
 * Measures the operator: without a model, {@link dev.sparkmla.sql.bench.OperatorBenchmark} ({@code
 * bin/bench operator}), and beside the engine called directly, {@link
 * dev.sparkmla.sql.bench.QueryBenchmark} ({@code bin/bench query}). No tests.
 */
package dev.sparkmla.sql.bench;
