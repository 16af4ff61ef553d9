package dev.sparkmla.compute.cuda;

import dev.sparkmla.compute.Precision;
import dev.sparkmla.compute.Weight;
import dev.sparkmla.cuda.DeviceTensor;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/** A matrix on the device: its rows by format, mostly one range of bf16. */
final class CudaWeight implements Weight {
  private final List<CudaRows> parts;
  private final int rows;
  private final int columns;

  CudaWeight(List<CudaRows> parts, int rows, int columns) {
    this.parts = List.copyOf(parts);
    this.rows = rows;
    this.columns = columns;
  }

  static CudaWeight of(Weight weight) {
    return (CudaWeight) weight;
  }

  /** The rows from the first to the last, by format. */
  List<CudaRows> parts() {
    return parts;
  }

  /** {@code [rows, columns]} of a weight in one format. */
  DeviceTensor matrix() {
    return whole().matrix();
  }

  /**
   * Of each head's rows some, of a weight in one format.
   *
   * @return {@code [heads, count, columns]}
   */
  DeviceTensor heads(int heads, int first, int count) {
    return whole().heads(heads, first, count);
  }

  private CudaRows whole() {
    if (parts.size() != 1) {
      throw new IllegalArgumentException(
          "a weight of rows in several formats, " + ranges() + ", where one format belongs");
    }
    return parts.get(0);
  }

  @Override
  public int rows() {
    return rows;
  }

  @Override
  public int columns() {
    return columns;
  }

  @Override
  public List<RowRange> ranges() {
    return parts.stream().map(CudaRows::range).toList();
  }

  @Override
  public Set<Precision> inputs() {
    Set<Precision> inputs = EnumSet.noneOf(Precision.class);
    for (CudaRows part : parts) {
      inputs.add(WeightMemory.activations(part.range().format()));
    }
    return inputs;
  }

  @Override
  public void close() {
    parts.forEach(CudaRows::close);
  }
}
