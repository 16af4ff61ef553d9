package dev.sparkmla.compute.cpu.bench;

import dev.sparkmla.compute.Activation;
import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.ComputeBackends;
import dev.sparkmla.compute.Precision;
import dev.sparkmla.compute.RandomTensors;
import dev.sparkmla.compute.Weight;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.openblas.global.openblas_nolapack;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** The backend's GEMM with a bf16 weight, and OpenBLAS's of the same shape in float32 alone. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class GemmBenchmark {
  /** A GEMM's {@code rows x outputs x inputs}. */
  record Shape(int rows, int outputs, int inputs) {
    static Shape parse(String text) {
      String[] sizes = text.split("x", -1);
      return new Shape(
          Integer.parseInt(sizes[0]), Integer.parseInt(sizes[1]), Integer.parseInt(sizes[2]));
    }

    double operations() {
      return 2.0 * rows * outputs * inputs;
    }
  }

  /** The backend with a weight and its activations. */
  @State(Scope.Benchmark)
  public static class Backend {
    /** The GEMM's shape; the demo model's, then those of a model of 2,048 hidden. */
    @Param({
      "2048x768x256",
      "2048x576x256",
      "2048x1536x256",
      "2048x256x768",
      "512x3072x2048",
      "512x2816x2048",
      "512x2048x1408",
      "2048x3072x2048"
    })
    public String shape;

    private ComputeBackend backend;
    private Weight weight;
    private Activation in;
    private Activation out;

    /** Draws the weight. */
    @Setup
    public void open() {
      Shape sizes = Shape.parse(shape);
      backend = ComputeBackends.cpu(CpuBenchmark.threads());
      weight = drawn(backend, sizes.outputs(), sizes.inputs(), 1);
      in = backend.allocate(sizes.rows(), sizes.inputs(), Precision.BFLOAT16);
      out = backend.allocate(sizes.rows(), sizes.outputs(), Precision.FLOAT32);
      try (Weight table = drawn(backend, sizes.rows(), sizes.inputs(), 2)) {
        CpuBenchmark.fill(backend, table, in);
      }
    }

    /** Gives everything back. */
    @TearDown
    public void close() {
      out.close();
      in.close();
      weight.close();
      backend.close();
    }
  }

  /** Plain float32 matrices. */
  @State(Scope.Benchmark)
  public static class Alone {
    /** As {@link Backend#shape}. */
    @Param({
      "2048x768x256",
      "2048x576x256",
      "2048x1536x256",
      "2048x256x768",
      "512x3072x2048",
      "512x2816x2048",
      "512x2048x1408",
      "2048x3072x2048"
    })
    public String shape;

    private Shape sizes;
    private FloatPointer a;
    private FloatPointer b;
    private FloatPointer c;

    /** Draws the matrices. */
    @Setup
    public void open() {
      openblas_nolapack.blas_set_num_threads(CpuBenchmark.threads());
      sizes = Shape.parse(shape);
      a = drawn((long) sizes.rows() * sizes.inputs());
      b = drawn((long) sizes.outputs() * sizes.inputs());
      c = new FloatPointer((long) sizes.rows() * sizes.outputs());
    }

    private static FloatPointer drawn(long size) {
      FloatPointer values = new FloatPointer(size);
      Random random = new Random(7);
      for (long i = 0; i < size; i++) {
        values.put(i, (float) random.nextGaussian());
      }
      return values;
    }

    /** Gives the memory back. */
    @TearDown
    public void close() {
      a.close();
      b.close();
      c.close();
    }
  }

  static Weight drawn(ComputeBackend backend, int rows, int columns, long seed) {
    return RandomTensors.uploadMatrix(backend, rows, columns, 0.05f, seed);
  }

  /** The backend's. */
  @Benchmark
  public void backend(Backend state) {
    state.backend.linear(state.in, state.weight, Optional.empty(), state.out);
  }

  /** OpenBLAS's. */
  @Benchmark
  public void openBlas(Alone state) {
    openblas_nolapack.cblas_sgemm(
        openblas_nolapack.CblasRowMajor,
        openblas_nolapack.CblasNoTrans,
        openblas_nolapack.CblasTrans,
        state.sizes.rows(),
        state.sizes.outputs(),
        state.sizes.inputs(),
        1f,
        state.a,
        state.sizes.inputs(),
        state.b,
        state.sizes.inputs(),
        0f,
        state.c,
        state.sizes.outputs());
  }
}
