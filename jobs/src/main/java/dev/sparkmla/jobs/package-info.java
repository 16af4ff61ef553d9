/**
 * The job that turns a file of documents into a file of completions.
 *
 * <p>Here live its command line, its readers and writers, what it prints, and the demo. How a text
 * is generated does not: the job calls {@code llm_generate}, as any query does. Start at {@link
 * dev.sparkmla.jobs.GenerateJob}.
 */
package dev.sparkmla.jobs;
