/**
 * The job that turns a file of documents into a file of completions.
 *
 * <p>Here live its command line, its output, what it prints, and the demo; what it reads has a
 * package of its own, {@link dev.sparkmla.jobs.input}. How a text is generated does not live here:
 * the job calls {@code llm_generate}, as any query does. Start at {@link
 * dev.sparkmla.jobs.GenerateJob}.
 */
package dev.sparkmla.jobs;
