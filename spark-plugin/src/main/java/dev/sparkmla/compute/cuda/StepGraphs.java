package dev.sparkmla.compute.cuda;

import dev.sparkmla.compute.Forward;
import dev.sparkmla.cuda.CudaGraph;
import dev.sparkmla.cuda.CudaStream;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/**
 * Steps that only decode, recorded: one graph for each shape. The first step of a shape is computed
 * plainly, which allocates what it needs; the second is recorded; from then on it is repeated.
 */
final class StepGraphs implements AutoCloseable {
  private record Key(Forward forward, CudaPlan.Shape shape) {}

  private final CudaStream stream;
  private final Set<Key> seen = new HashSet<>();
  private final Map<Key, CudaGraph> graphs = new HashMap<>();

  StepGraphs(CudaStream stream) {
    this.stream = stream;
  }

  /** Computes a step whose plan is on the device. */
  void run(CudaPlan plan, Forward forward) {
    if (!plan.onlyDecodes()) {
      forward.compute(plan);
      return;
    }
    Key key = new Key(forward, plan.shape());
    CudaGraph graph = graphs.get(key);
    if (graph == null && seen.add(key)) {
      forward.compute(plan);
      return;
    }
    if (graph == null) {
      graph = CudaGraph.capture(stream, () -> forward.compute(plan));
      graphs.put(key, graph);
    }
    graph.launch(stream);
  }

  /** Forgets what was recorded; nothing may be running. */
  @Override
  public void close() {
    graphs.values().forEach(CudaGraph::close);
    graphs.clear();
    seen.clear();
  }
}
