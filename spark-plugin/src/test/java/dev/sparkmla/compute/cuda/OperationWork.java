package dev.sparkmla.compute.cuda;

import dev.sparkmla.compute.Activation;
import dev.sparkmla.compute.AttentionShape;
import dev.sparkmla.compute.LatentAttention;
import dev.sparkmla.compute.Weight;
import dev.sparkmla.compute.WeightFormat;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * What an operation computes at least, from its arguments: for benchmarks.
 *
 * @param shape the sizes of its matrix or heads, for people; may be empty
 * @param bytes of its activations and weights, each read or written once, without the cache
 * @param multiplyAdds of bf16 values on tensor cores; attention's are left out
 * @param float8MultiplyAdds of 8-bit values
 * @param attention the sizes of an operation over cached tokens
 */
public record OperationWork(
    String shape,
    double bytes,
    double multiplyAdds,
    double float8MultiplyAdds,
    Optional<AttentionShape> attention) {
  static final OperationWork NONE = new OperationWork("", 0, 0, 0, Optional.empty());

  static OperationWork of(String name, Object[] arguments) {
    List<Activation> activations = all(Activation.class, arguments).toList();
    double bytes = activations.stream().mapToDouble(OperationWork::bytes).sum();
    Optional<LatentAttention> attention = all(LatentAttention.class, arguments).findFirst();
    Optional<Weight> weight = all(Weight.class, arguments).findFirst();
    double rows = activations.get(0).rows();
    Optional<CudaRouting> routing = all(CudaRouting.class, arguments).findFirst();
    if (routing.isPresent()) {
      return experts(routing.get(), activations.get(0), bytes);
    }
    if (attention.isPresent() && !name.equals("writeCache")) {
      return attention(name, attention.get(), rows, bytes);
    }
    if (weight.isPresent() && !name.equals("embed")) {
      return matrix(weight.get(), rows, bytes);
    }
    return new OperationWork(
        String.valueOf(activations.get(0).columns()), bytes, 0, 0, Optional.empty());
  }

  private static OperationWork attention(
      String name, LatentAttention attention, double rows, double bytes) {
    Weight keyValue = attention.keyValue();
    double matrices = (double) keyValue.rows() * keyValue.columns();
    double read =
        switch (name) {
          case "writeCacheAndAbsorb", "projectValues" -> matrices / 2;
          case "prefillAttention" -> matrices;
          default -> 0;
        };
    return new OperationWork(
        attention.shape().heads() + " heads",
        bytes + 2 * read,
        name.equals("prefillAttention") ? 0 : rows * read,
        0,
        Optional.of(attention.shape()));
  }

  private static OperationWork matrix(Weight weight, double rows, double bytes) {
    double all = bytes;
    double plain = 0;
    double float8 = 0;
    for (Weight.RowRange range : weight.ranges()) {
      double elements = (double) range.count() * weight.columns();
      all += elements * size(range.format());
      if (size(range.format()) == 1) {
        float8 += rows * elements;
      } else {
        plain += rows * elements;
      }
    }
    return new OperationWork(
        weight.rows() + " × " + weight.columns(), all, plain, float8, Optional.empty());
  }

  /** With the weights of as many experts as random choices touch on average. */
  private static OperationWork experts(CudaRouting routing, Activation out, double bytes) {
    CudaExperts experts = routing.experts();
    double perToken = routing.perToken();
    double elements = 3.0 * experts.width() * out.columns();
    double touched =
        experts.experts() * (1 - Math.pow(1 - perToken / experts.experts(), out.rows()));
    double multiplyAdds = out.rows() * perToken * elements;
    boolean float8 = size(experts.format()) == 1;
    return new OperationWork(
        experts.experts() + " of " + experts.width() + " × " + out.columns(),
        bytes + touched * elements * size(experts.format()),
        float8 ? 0 : multiplyAdds,
        float8 ? multiplyAdds : 0,
        Optional.empty());
  }

  private static int size(WeightFormat format) {
    return switch (format) {
      case FLOAT32 -> Float.BYTES;
      case BFLOAT16 -> Short.BYTES;
      case FLOAT8_BLOCKS, FLOAT8_ROWS -> 1;
    };
  }

  private static double bytes(Activation activation) {
    CudaActivation rows = CudaActivation.of(activation);
    double elements = (double) rows.rows() * rows.columns();
    return rows.float8().isPresent() ? elements : elements * rows.tensor().type().bytes();
  }

  private static <T> Stream<T> all(Class<T> type, Object[] arguments) {
    return Arrays.stream(arguments).filter(type::isInstance).map(type::cast);
  }
}
