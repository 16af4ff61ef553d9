package dev.sparkmla.compute.cpu;

import java.util.Arrays;
import java.util.function.IntUnaryOperator;
import java.util.stream.IntStream;

/**
 * Where the rows of a step lie, so that a row's result does not depend on the other rows.
 *
 * <p>OpenBLAS's kernels for AVX2 compute {@value #TILE} rows at a time, in two halves: of the first
 * and the last eight outputs of a block one half adds even and odd products apart, the other does
 * not. So a row must always lie in the same half. The tokens of a prompt lie so that a token's
 * place in its tile follows from its position; of other rows each goes to the half that is its own;
 * and places stay empty where that leaves them over.
 */
enum RowPlacement {
  /** One row after the other, over kernels that compute all places alike. */
  DENSE,
  /** Each row in its half, over the kernels for AVX2. */
  IN_HALVES;

  /** What {@link #place} says of a place without a row. */
  static final int EMPTY = -1;

  private static final int TILE = 12;
  private static final int HALF = TILE / 2;

  /** Rows of a position's tile that lie before it. */
  int before(int position) {
    return switch (this) {
      case DENSE -> 0;
      case IN_HALVES -> position % TILE;
    };
  }

  /** The first place, not before {@code place}, for a run of tokens that begins at a position. */
  int next(int place, int position) {
    return switch (this) {
      case DENSE -> place;
      case IN_HALVES -> place + Math.floorMod(position - place, TILE);
    };
  }

  /** The half that a place lies in: 0 or 1. */
  static int half(int place) {
    return place % TILE / HALF;
  }

  /**
   * Places rows whose order does not matter.
   *
   * @param rows how many
   * @param halves the half of each: even numbers are the first, odd numbers the second
   * @return of every place the row that lies there, or {@link #EMPTY}
   */
  int[] place(int rows, IntUnaryOperator halves) {
    return switch (this) {
      case DENSE -> IntStream.range(0, rows).toArray();
      case IN_HALVES -> placeInHalves(rows, halves);
    };
  }

  private static int[] placeInHalves(int rows, IntUnaryOperator halves) {
    int[] places = new int[2 * (rows + HALF)];
    Arrays.fill(places, EMPTY);
    int[] placed = new int[2];
    int end = 0;
    for (int row = 0; row < rows; row++) {
      int half = halves.applyAsInt(row) & 1;
      int place = placed[half] / HALF * TILE + half * HALF + placed[half] % HALF;
      placed[half]++;
      places[place] = row;
      end = Math.max(end, place + 1);
    }
    return Arrays.copyOf(places, end);
  }

  /** The places of rows, by row: what {@link #place} says the other way round. */
  static int[] places(int[] placed, int rows) {
    int[] places = new int[rows];
    for (int place = 0; place < placed.length; place++) {
      if (placed[place] != EMPTY) {
        places[placed[place]] = place;
      }
    }
    return places;
  }
}
