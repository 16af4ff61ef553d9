package dev.sparkmla.model;

import dev.sparkmla.compute.Tensor;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A matrix of one expert in a tensor of all experts, as Mistral Small 4 stores them: {@code
 * experts.gate_up_proj [experts, 2 * width, hidden]}, gate over up, and {@code experts.down_proj
 * [experts, hidden, width]}.
 *
 * @param tensor the name of the tensor
 * @param expert which expert's
 * @param firstRow the matrix's first row among the expert's
 * @param expertRows rows of an expert in the tensor
 */
record PackedExpert(String tensor, int expert, int firstRow, int expertRows) {
  private static final Pattern TENSOR = Pattern.compile(".*\\.experts\\.(gate_up|down)_proj");
  private static final Pattern NAME =
      Pattern.compile("(.*\\.experts\\.)(\\d{1,9})\\.(gate|up|down)_proj\\.weight");

  /** Whether a tensor holds matrices of all experts. */
  static boolean isTensor(String name) {
    return TENSOR.matcher(name).matches();
  }

  /**
   * Where a matrix lies.
   *
   * @param name its name where each expert's matrices are tensors of their own
   * @param rows how many it has
   * @return empty when the name is not that of an expert's matrix
   */
  static Optional<PackedExpert> of(String name, int rows) {
    Matcher parts = NAME.matcher(name);
    if (!parts.matches()) {
      return Optional.empty();
    }
    int expert = Integer.parseInt(parts.group(2));
    String matrix = parts.group(3);
    return Optional.of(
        matrix.equals("down")
            ? new PackedExpert(parts.group(1) + "down_proj", expert, 0, rows)
            : new PackedExpert(
                parts.group(1) + "gate_up_proj", expert, matrix.equals("up") ? rows : 0, 2 * rows));
  }

  /**
   * Takes the matrix out of the tensor, without copying.
   *
   * @throws ModelFormatException when the tensor has another shape
   */
  Tensor take(Path file, Tensor packed, int rows, int columns) {
    List<Integer> shape = packed.shape();
    if (shape.size() != 3
        || shape.get(0) <= expert
        || shape.get(1) != expertRows
        || shape.get(2) != columns) {
      throw new ModelFormatException(
          file,
          "tensor %s has shape %s; expected more than %d experts of [%d, %d]"
              .formatted(tensor, shape, expert, expertRows, columns));
    }
    long row = (long) columns * packed.type().bytes();
    long first = ((long) expert * expertRows + firstRow) * row;
    return new Tensor(
        packed.name() + "[" + expert + "]",
        packed.type(),
        List.of(rows, columns),
        packed.slices(first, rows * row));
  }
}
