package dev.sparkmla.jobs.input;

import java.io.Serializable;
import java.util.Set;

/**
 * How an input is read.
 *
 * @param promptColumn the column that holds prompts, in any case
 * @param promptAsText whether a prompt that is no text is taken as one
 * @param withColumns whether JSON objects are to become columns; else they stay as they are written
 * @param mostColumns how many keys of JSON objects become columns; the first ones do
 * @param named names of columns, in any case, that keys beyond those become too
 */
public record ReadOptions(
    String promptColumn,
    boolean promptAsText,
    boolean withColumns,
    int mostColumns,
    Set<String> named)
    implements Serializable {

  /** Copies the set. */
  public ReadOptions {
    named = Set.copyOf(named);
  }
}
