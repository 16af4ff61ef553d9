/**
 * What the engines of an application have done: reported by executors, kept by the driver and, of
 * the event log, by a history server.
 *
 * <p>Here live the events and the store that they are kept in. Counting lives in {@link
 * dev.sparkmla.engine}, sending and receiving in {@code dev.sparkmla.plugin}, showing in {@code
 * dev.sparkmla.ui}. Start at {@link dev.sparkmla.metrics.GenerationListener}.
 */
package dev.sparkmla.metrics;
