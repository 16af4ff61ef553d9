/**
 * Runs the engines inside Spark: configuration, the plugin's driver and executor sides, GPUs,
 * reports and metrics.
 *
 * <p>Here live the settings, what happens when an executor starts and ends, and how tasks find the
 * engines of their executor. SQL lives in {@link dev.sparkmla.sql}. Start at {@link
 * dev.sparkmla.plugin.MlaPlugin}.
 */
package dev.sparkmla.plugin;
