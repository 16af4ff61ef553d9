/**
 * The page "Generation" of Spark's web interface, of a running application and in the history
 * server, and the pieces of HTML that a job's report is made of too.
 *
 * <p>Here live tables, charts and what stands in them. What is shown lives in {@link
 * dev.sparkmla.metrics}. No page needs a script, or anything that is not in it. Start at {@link
 * dev.sparkmla.ui.GenerationPage}.
 */
package dev.sparkmla.ui;
