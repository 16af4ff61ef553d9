package dev.sparkmla.compute.cpu;

import dev.sparkmla.compute.ExpertWeights;
import dev.sparkmla.compute.GatedSource;
import java.util.ArrayList;
import java.util.List;

/** The experts' matrices, each in memory of its own. */
final class CpuExperts implements ExpertWeights {
  private final List<CpuWeight> gateUps = new ArrayList<>();
  private final List<CpuWeight> downs = new ArrayList<>();

  CpuExperts(HostMemory memory, List<GatedSource> experts) {
    try {
      for (GatedSource expert : experts) {
        gateUps.add(new CpuWeight(memory, List.of(expert.gate(), expert.up())));
        downs.add(new CpuWeight(memory, List.of(expert.down())));
      }
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  static CpuExperts of(ExpertWeights experts) {
    return (CpuExperts) experts;
  }

  /** {@code [2 * width, hidden]}: gate, then up. */
  CpuWeight gateUp(int expert) {
    return gateUps.get(expert);
  }

  /** {@code [hidden, width]}. */
  CpuWeight down(int expert) {
    return downs.get(expert);
  }

  @Override
  public int experts() {
    return gateUps.size();
  }

  @Override
  public void close() {
    gateUps.forEach(CpuWeight::close);
    downs.forEach(CpuWeight::close);
  }
}
