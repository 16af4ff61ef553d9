package dev.sparkmla.compute.cpu;

import dev.sparkmla.compute.LatentCache;
import dev.sparkmla.compute.Rotation;

/** Angles, computed in double precision when a token needs them. */
final class CpuRotation implements Rotation {
  private static final int PAIRS = LatentCache.ROPE / 2;

  private final double[] inverseFrequencies;
  private final double factor;
  private final boolean interleaved;

  CpuRotation(double[] inverseFrequencies, double factor, boolean interleaved) {
    if (inverseFrequencies.length != PAIRS) {
      throw new IllegalArgumentException(
          "rotary embedding of " + inverseFrequencies.length + " pairs; expected " + PAIRS);
    }
    this.inverseFrequencies = inverseFrequencies.clone();
    this.factor = factor;
    this.interleaved = interleaved;
  }

  static CpuRotation of(Rotation rotation) {
    return (CpuRotation) rotation;
  }

  /** Cosines in {@code angles[0 .. 32)}, sines in {@code angles[32 .. 64)}. */
  void angles(int position, float[] angles) {
    for (int i = 0; i < PAIRS; i++) {
      double angle = position * inverseFrequencies[i];
      angles[i] = (float) (Math.cos(angle) * factor);
      angles[PAIRS + i] = (float) (Math.sin(angle) * factor);
    }
  }

  /** Turns {@code values[at .. at + 64)} by what {@link #angles} gave. */
  void turn(float[] values, int at, float[] angles) {
    int step = interleaved ? 2 : 1;
    int other = interleaved ? 1 : PAIRS;
    for (int i = 0; i < PAIRS; i++) {
      float x = values[at + i * step];
      float y = values[at + i * step + other];
      values[at + i * step] = x * angles[i] - y * angles[PAIRS + i];
      values[at + i * step + other] = y * angles[i] + x * angles[PAIRS + i];
    }
  }

  @Override
  public void close() {
    // Nothing but heap memory.
  }
}
