/**
 * What the job writes: slices, each committed by one rename, which a job that was cut off is
 * resumed from, and the last step, which brings their rows to a folder or a table.
 *
 * <p>A <em>slice</em> is rows of the input that follow one another, with their results, in one file
 * whose name says which rows they are. The records beside the slices say what they were generated
 * with. A <em>delivery</em> brings slices to a table, once; a run makes it while it has the
 * <em>lease</em> of the checkpoint. What the rows hold, and how they are made, does not live here.
 * Start at {@link dev.sparkmla.jobs.output.Output}, {@link dev.sparkmla.jobs.output.SliceWriter}
 * and {@link dev.sparkmla.jobs.output.Destination}.
 */
package dev.sparkmla.jobs.output;
