package dev.sparkmla.cuda;

import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUstreamCaptureMode;
import jcuda.driver.JCudaDriver;

/**
 * Work that is captured once and replayed with one call. Launching hundreds of kernels one by one
 * takes the processor longer than a decode step takes the device. Addresses and sizes are those of
 * the capture; every buffer that it used must stay open while it is replayed. One thread at a time.
 */
public final class CudaGraph extends ContextResource {
  private final CUgraphExec handle;

  private CudaGraph(CudaContext context, CUgraphExec handle) {
    super(context, "graph");
    this.handle = handle;
  }

  /**
   * Runs {@code work}, whose launches on {@code stream} are recorded and not carried out. It must
   * not wait for the stream, nor copy from or to the host.
   *
   * @throws CudaException where something in it cannot be captured
   */
  public static CudaGraph capture(CudaStream stream, Runnable work) {
    CudaContext context = stream.context();
    context.call(
        "cuStreamBeginCapture",
        () ->
            JCudaDriver.cuStreamBeginCapture(
                stream.handle(), CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
    CUgraph graph = new CUgraph();
    boolean recorded = false;
    int ended;
    try {
      work.run();
      recorded = true;
    } finally {
      context.makeCurrent();
      ended = JCudaDriver.cuStreamEndCapture(stream.handle(), graph);
      if (!recorded && ended == 0) {
        JCudaDriver.cuGraphDestroy(graph);
      }
    }
    context.check(ended, "cuStreamEndCapture");
    CUgraphExec executable = new CUgraphExec();
    int instantiated = JCudaDriver.cuGraphInstantiate(executable, graph, 0);
    JCudaDriver.cuGraphDestroy(graph);
    context.check(instantiated, "cuGraphInstantiate");
    return new CudaGraph(context, executable);
  }

  /** Enqueues one replay. Replays of one graph run one after another, whatever their streams. */
  public void launch(CudaStream stream) {
    call("cuGraphLaunch", () -> JCudaDriver.cuGraphLaunch(handle, stream.handle()));
  }

  @Override
  void release() {
    context().call("cuGraphExecDestroy", () -> JCudaDriver.cuGraphExecDestroy(handle));
  }
}
