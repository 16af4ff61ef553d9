/**
 * What the job reads: the files that an input names, their formats, and the rows in them.
 *
 * <p>Every row that a file holds comes out of here with the columns it came with, its prompt, and,
 * where it cannot be generated from, the reason. What is generated and where it is written does not
 * live here. Start at {@link dev.sparkmla.jobs.input.InputFiles} and {@link
 * dev.sparkmla.jobs.input.Documents}.
 */
package dev.sparkmla.jobs.input;
