/**
 * What the engines of an application have done. Executors report it; the driver keeps it, and so
 * does a history server, which reads it from the event log.
 *
 * <p>Here live the events and the store in which they are kept. Counting lives in {@link
 * dev.sparkmla.engine}, sending and receiving in {@code dev.sparkmla.plugin}, showing in {@code
 * dev.sparkmla.ui}. Start at {@link dev.sparkmla.metrics.GenerationListener}.
 */
package dev.sparkmla.metrics;
