package dev.sparkmla.grammar;

import java.util.Arrays;

/** Rows of as many numbers each, without an object for each row. For one thread. */
final class Rows {
  private final int width;
  private int[] values = new int[64];
  private int size;

  Rows(int width) {
    this.width = width;
  }

  void add(int... row) {
    int end = (size + 1) * width;
    if (end > values.length) {
      values = Arrays.copyOf(values, 2 * values.length);
    }
    System.arraycopy(row, 0, values, size * width, width);
    size++;
  }

  /** How many rows there are. */
  int size() {
    return size;
  }

  /** One number of a row. */
  int get(int row, int column) {
    return values[row * width + column];
  }

  /** The rows in the order of their first numbers, which are below a limit. */
  Sorted sorted(int limit) {
    int[] starts = new int[limit + 1];
    for (int row = 0; row < size; row++) {
      starts[get(row, 0) + 1]++;
    }
    for (int first = 0; first < limit; first++) {
      starts[first + 1] += starts[first];
    }
    int[] next = starts.clone();
    int[] order = new int[size];
    for (int row = 0; row < size; row++) {
      order[next[get(row, 0)]++] = row;
    }
    return new Sorted(starts, order);
  }

  /** The indexes of rows, by their first numbers. */
  static final class Sorted {
    private final int[] starts;
    private final int[] order;

    private Sorted(int[] starts, int[] order) {
      this.starts = starts;
      this.order = order;
    }

    /** How many rows have this first number. */
    int count(int first) {
      return starts[first + 1] - starts[first];
    }

    /** The index of one of the rows that have this first number. */
    int row(int first, int index) {
      return order[starts[first] + index];
    }
  }
}
