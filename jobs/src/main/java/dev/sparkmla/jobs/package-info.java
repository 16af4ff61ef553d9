/**
 * The job that turns a file of documents into a file of completions.
 *
 * <p>Here live its command line, what it prints, and the demo; what it reads and what it writes
 * have packages of their own, {@link dev.sparkmla.jobs.input} and {@link dev.sparkmla.jobs.output}.
 * How a text is generated does not live here: the job calls {@code llm_generate}, as any query
 * does. Start at {@link dev.sparkmla.jobs.GenerateJob}.
 */
package dev.sparkmla.jobs;
