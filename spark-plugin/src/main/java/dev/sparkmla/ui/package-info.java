/**
 * The page "Generation" of Spark's web interface, for running applications and in the history
 * server. A job's report consists of the same pieces of HTML.
 *
 * <p>Here live tables, charts and their contents. The figures that they show live in {@link
 * dev.sparkmla.metrics}. Pages load nothing from other servers and have no script of their own:
 * Spark's sorts their tables. Start at {@link dev.sparkmla.ui.GenerationPage}.
 */
package dev.sparkmla.ui;
