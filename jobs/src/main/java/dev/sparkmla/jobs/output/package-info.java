/**
 * What the job writes: a folder of slices, each committed by one rename, which a job that was cut
 * off is resumed from.
 *
 * <p>A <em>slice</em> is rows of the input that follow one another, with their results, in one file
 * whose name says which rows they are. The folder's record says what they were generated with. What
 * the rows hold, and how they are made, does not live here. Start at {@link
 * dev.sparkmla.jobs.output.OutputFolder} and {@link dev.sparkmla.jobs.output.SliceWriter}.
 */
package dev.sparkmla.jobs.output;
