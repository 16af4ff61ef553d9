package dev.sparkmla.compute.cpu;

import java.nio.FloatBuffer;
import java.util.Arrays;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.openblas.global.openblas_nolapack;

/**
 * GEMM through OpenBLAS, one thread each.
 *
 * <p>OpenBLAS chooses other kernels for small GEMMs and for the last few rows, and they round
 * differently. So rows come in whole {@value #ROW_STEP}s, padded where they are fewer, and enough
 * of them that no GEMM counts as small; then a row's result does not depend on the other rows. Over
 * the kernels for AVX2 it still depends on the row's place, which {@link RowPlacement} keeps.
 */
final class Gemm {
  /** A multiple of the rows of every kernel's register tile. */
  static final int ROW_STEP = 24;

  /**
   * Rows of one call at most: few enough for every kernel to take them in one call, and for a
   * thread that is held up to leave the others something to do.
   */
  private static final int MOST_ROWS = 22 * ROW_STEP;

  /** Rows of one call at least, where there are as many. */
  private static final int LEAST_ROWS = 10 * ROW_STEP;

  /** GEMMs of at most so many multiplications are small to OpenBLAS. */
  private static final long SMALL = 1_000_000;

  /** Floats of a panel of widened parameters at most, so that caches hold it. */
  private static final int PANEL = 1 << 20;

  /** Rows of a panel at most, so that there is a panel for every thread. */
  private static final int MOST_PANEL_ROWS = 512;

  /** A multiple of the weight's rows of every kernel's register tile. */
  private static final int PANEL_STEP = 32;

  private static final int ROW_MAJOR = openblas_nolapack.CblasRowMajor;
  private static final int AS_IS = openblas_nolapack.CblasNoTrans;
  private static final int TRANSPOSED = openblas_nolapack.CblasTrans;

  private Gemm() {}

  /** Makes OpenBLAS compute in the calling thread, process-wide: the threads are ours. */
  static void useCallingThread() {
    openblas_nolapack.blas_set_num_threads(1);
  }

  /**
   * How rows must lie over the kernels that OpenBLAS has chosen: equal rows are multiplied, and
   * their results compared.
   */
  static RowPlacement placement() {
    int columns = PANEL_STEP;
    int rows = paddedRows(ROW_STEP, columns, columns);
    try (FloatPointer left = new FloatPointer((long) rows * columns);
        FloatPointer right = new FloatPointer((long) columns * columns);
        FloatPointer result = new FloatPointer((long) rows * columns)) {
      for (int i = 0; i < columns * columns; i++) {
        right.put(i, 1f / (1 + i));
      }
      for (int i = 0; i < rows * columns; i++) {
        left.put(i, 1f / (3 + i % columns));
      }
      openblas_nolapack.cblas_sgemm(
          ROW_MAJOR,
          AS_IS,
          TRANSPOSED,
          rows,
          columns,
          columns,
          1f,
          left,
          columns,
          right,
          columns,
          0f,
          result,
          columns);
      float[] results = new float[rows * columns];
      result.get(results);
      for (int row = 1; row < rows; row++) {
        int at = row * columns;
        if (!Arrays.equals(results, 0, columns, results, at, at + columns)) {
          return RowPlacement.IN_HALVES;
        }
      }
      return RowPlacement.DENSE;
    }
  }

  /**
   * A matrix, or rows and columns of one.
   *
   * @param buffer holds it
   * @param offset index of its first float
   * @param stride floats from row to row
   */
  record View(HostBuffer buffer, int offset, int stride) {
    static View of(CpuActivation activation) {
      return new View(activation.buffer(), activation.offset(), activation.stride());
    }

    /** From that row and column on. */
    View from(int row, int column) {
      return new View(buffer, offset + row * stride + column, stride);
    }

    FloatPointer pointer() {
      return buffer.at(offset);
    }
  }

  /** {@code c = a · bᵀ}, just as it is: {@code a [m, k]}, {@code b [n, k]}. */
  static void transposed(int m, int n, int k, View a, FloatPointer b, int strideB, View c) {
    call(TRANSPOSED, m, n, k, a, b, strideB, c, false);
  }

  /** {@code c = a · b}, just as it is: {@code a [m, k]}, {@code b [k, n]}. */
  static void plain(int m, int n, int k, View a, FloatPointer b, int strideB, View c) {
    call(AS_IS, m, n, k, a, b, strideB, c, false);
  }

  private static void call(
      int form, int m, int n, int k, View a, FloatPointer b, int strideB, View c, boolean add) {
    openblas_nolapack.cblas_sgemm(
        ROW_MAJOR,
        AS_IS,
        form,
        m,
        n,
        k,
        1f,
        a.pointer(),
        a.stride(),
        b,
        strideB,
        add ? 1f : 0f,
        c.pointer(),
        c.stride());
  }

  /** Rows to compute so that {@code m} rows come out as in any other company. */
  static int paddedRows(int m, int n, int k) {
    long least = SMALL / ((long) n * k) + 1;
    return wholeSteps((int) Math.max(m, least));
  }

  /** The next multiple of {@link #ROW_STEP}. */
  static int wholeSteps(int rows) {
    return (rows + ROW_STEP - 1) / ROW_STEP * ROW_STEP;
  }

  /**
   * Rows of a task where {@code rows} and {@code panels} make a grid of tasks: whole steps, of
   * about the same number, and as many tasks as occupy every thread equally long. At least one
   * step, even of no rows.
   */
  static int taskRows(int rows, int panels, int threads) {
    int least = Math.max(1, (rows + MOST_ROWS - 1) / MOST_ROWS);
    int best = least;
    for (int tiles = least + 1; tiles <= rows / LEAST_ROWS; tiles++) {
      if (rounds(tiles, panels, threads) * best < rounds(best, panels, threads) * tiles) {
        best = tiles;
      }
    }
    return wholeSteps(Math.max(1, (rows + best - 1) / best));
  }

  /** Tasks that one thread computes. */
  private static int rounds(int tiles, int panels, int threads) {
    return (tiles * panels + threads - 1) / threads;
  }

  /** {@code c = a · bᵀ} or {@code c += a · bᵀ}, rows independent of each other. */
  static void independent(
      int m,
      int n,
      int k,
      View a,
      FloatPointer b,
      int strideB,
      boolean transposed,
      View c,
      boolean add,
      Scratch scratch) {
    int form = transposed ? TRANSPOSED : AS_IS;
    int padded = paddedRows(m, n, k);
    if (padded == m) {
      call(form, m, n, k, a, b, strideB, c, add);
      return;
    }
    HostBuffer left = scratch.buffer(Scratch.Use.LEFT, (long) padded * k);
    HostBuffer result = scratch.buffer(Scratch.Use.RESULT, (long) padded * n);
    copy(a, new View(left, 0, k), m, k);
    zero(left.floats(), m * k, (padded - m) * k);
    if (add) {
      copy(c, new View(result, 0, n), m, n);
      zero(result.floats(), m * n, (padded - m) * n);
    }
    call(form, padded, n, k, new View(left, 0, k), b, strideB, new View(result, 0, n), add);
    copy(new View(result, 0, n), c, m, n);
  }

  /**
   * {@code c = a · weight[firstRow .. firstRow + n]ᵀ} or {@code c += ...}, rows independent of each
   * other, for any number of them.
   */
  static void independent(
      int m, View a, CpuWeight weight, int firstRow, int n, View c, boolean add, Scratch scratch) {
    int k = weight.columns();
    int width = panelRows(n, k);
    for (int column = 0; column < n; column += width) {
      int count = Math.min(width, n - column);
      FloatPointer panel = weight.panel(firstRow + column, count, scratch);
      for (int row = 0; row < m; row += MOST_ROWS) {
        independent(
            Math.min(MOST_ROWS, m - row),
            count,
            k,
            a.from(row, 0),
            panel,
            k,
            true,
            c.from(row, column),
            add,
            scratch);
      }
    }
  }

  /**
   * Rows that are widened at once, of {@code n} rows of a weight of {@code k} columns: about the
   * same number in every panel.
   */
  static int panelRows(int n, int k) {
    int most = Math.min(MOST_PANEL_ROWS, Math.max(1, PANEL / k / PANEL_STEP) * PANEL_STEP);
    int panels = (n + most - 1) / most;
    return (n + panels * PANEL_STEP - 1) / (panels * PANEL_STEP) * PANEL_STEP;
  }

  /** Copies {@code rows} rows of {@code columns} floats. */
  static void copy(View from, View to, int rows, int columns) {
    FloatBuffer source = from.buffer().floats();
    FloatBuffer target = to.buffer().floats();
    if (from.stride() == columns && to.stride() == columns) {
      target.put(to.offset(), source, from.offset(), rows * columns);
      return;
    }
    for (int row = 0; row < rows; row++) {
      target.put(
          to.offset() + row * to.stride(), source, from.offset() + row * from.stride(), columns);
    }
  }

  /** Clears {@code count} floats. */
  static void zero(FloatBuffer floats, int from, int count) {
    for (int done = 0; done < count; done += ZEROS.length) {
      floats.put(from + done, ZEROS, 0, Math.min(ZEROS.length, count - done));
    }
  }

  private static final float[] ZEROS = new float[4096];
}
