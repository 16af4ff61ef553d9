package dev.sparkmla.jobs.input;

import java.io.Serializable;
import java.util.List;

/** Says to a task that is tried again which of its rows are still to be done. */
@FunctionalInterface
public interface RemainingRows extends Serializable {
  /** The parts of a range that are to be done, in order. */
  List<RowRange> of(RowRange range);
}
