package dev.sparkmla.jobs.input;

import java.io.Serializable;

/** What a task found in the part of a file that it reads. Not thread-safe. */
final class FileBlock implements Serializable {
  private static final long serialVersionUID = 1L;

  private final String file;
  private final long start;
  private long lines;
  private long objects;
  private long broken;
  private String problem;
  private long problemLine;

  /**
   * @param file a URI
   * @param start where the block begins, in bytes
   */
  FileBlock(String file, long start) {
    this.file = file;
    this.start = start;
  }

  /** Counts a line, which the objects and broken rows after it are on. */
  void addLine() {
    lines++;
  }

  /** Counts an object. */
  void addObject() {
    objects++;
  }

  /**
   * Counts a row that is no object.
   *
   * @param reason what is wrong, with the beginning of the row
   */
  void addBroken(String reason) {
    broken++;
    if (problem == null) {
      problem = reason;
      problemLine = lines;
    }
  }

  /** Whether this block begins at a place of a file. */
  boolean isAt(String otherFile, long otherStart) {
    return start == otherStart && file.equals(otherFile);
  }

  /** A URI. */
  String file() {
    return file;
  }

  /** Where it begins, in bytes. */
  long start() {
    return start;
  }

  long lines() {
    return lines;
  }

  long objects() {
    return objects;
  }

  /** How many rows are no objects. */
  long broken() {
    return broken;
  }

  /** What is wrong with the first of them, and its beginning. */
  String problem() {
    return problem;
  }

  /** Its line in this block, from 1. */
  long problemLine() {
    return problemLine;
  }
}
