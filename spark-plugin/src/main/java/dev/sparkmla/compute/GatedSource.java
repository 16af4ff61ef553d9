package dev.sparkmla.compute;

/**
 * The matrices of one gated feed-forward network, an expert or the whole of a layer, on their way
 * to a backend.
 *
 * @param gate {@code [width, hidden]}
 * @param up {@code [width, hidden]}
 * @param down {@code [hidden, width]}
 */
public record GatedSource(MatrixSource gate, MatrixSource up, MatrixSource down) {
  /**
   * Checks that the shapes fit each other.
   *
   * @throws IllegalArgumentException if they do not
   */
  public GatedSource {
    if (gate.rows() != down.columns()
        || up.rows() != down.columns()
        || gate.columns() != down.rows()
        || up.columns() != down.rows()) {
      throw new IllegalArgumentException(
          "%s, %s and %s are no gated network: expected [width, hidden] twice and [hidden, width]"
              .formatted(gate.values(), up.values(), down.values()));
    }
  }

  /** Elements of the activation between the matrices. */
  public int width() {
    return down.columns();
  }

  /** Elements of an input and of an output. */
  public int hidden() {
    return down.rows();
  }
}
