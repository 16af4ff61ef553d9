package dev.sparkmla.compute.cpu;

import dev.sparkmla.compute.Rotation;

/** Angles, computed in double precision when a token needs them. */
final class CpuRotation implements Rotation {
  private final double[] inverseFrequencies;
  private final double factor;
  private final boolean interleaved;

  CpuRotation(double[] inverseFrequencies, double factor, boolean interleaved) {
    this.inverseFrequencies = inverseFrequencies.clone();
    this.factor = factor;
    this.interleaved = interleaved;
  }

  static CpuRotation of(Rotation rotation) {
    return (CpuRotation) rotation;
  }

  /** Elements that are rotated: two a pair. */
  int size() {
    return 2 * inverseFrequencies.length;
  }

  /** Cosines of the n pairs in {@code angles[0 .. n)}, sines in {@code angles[n .. 2n)}. */
  void angles(int position, float[] angles) {
    int pairs = inverseFrequencies.length;
    for (int i = 0; i < pairs; i++) {
      double angle = position * inverseFrequencies[i];
      angles[i] = (float) (Math.cos(angle) * factor);
      angles[pairs + i] = (float) (Math.sin(angle) * factor);
    }
  }

  /** Turns {@code values[at .. at + 2n)} by what {@link #angles} gave. */
  void turn(float[] values, int at, float[] angles) {
    int pairs = inverseFrequencies.length;
    int step = interleaved ? 2 : 1;
    int other = interleaved ? 1 : pairs;
    for (int i = 0; i < pairs; i++) {
      float x = values[at + i * step];
      float y = values[at + i * step + other];
      values[at + i * step] = x * angles[i] - y * angles[pairs + i];
      values[at + i * step + other] = y * angles[i] + x * angles[pairs + i];
    }
  }

  @Override
  public void close() {
    // Nothing but heap memory.
  }
}
