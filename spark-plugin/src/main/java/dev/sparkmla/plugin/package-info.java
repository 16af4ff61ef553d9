/**
 * The engine's place inside Spark: configuration, the plugin's two sides, resources, metrics.
 *
 * <p>Here live the settings, what happens when an executor starts and ends, and how its tasks find
 * the one engine of their JVM. SQL lives in {@link dev.sparkmla.sql}. Start at {@link
 * dev.sparkmla.plugin.MlaPlugin}.
 */
package dev.sparkmla.plugin;
