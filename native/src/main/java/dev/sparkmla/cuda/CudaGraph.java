package dev.sparkmla.cuda;

import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUstreamCaptureMode;
import jcuda.driver.JCudaDriver;

/**
 * Work captured once and replayed with one call: launching hundreds of kernels one by one costs the
 * processor more than a decode step costs the device. Addresses and sizes are those of the capture;
 * every buffer it used must stay open while it is replayed.
 */
public final class CudaGraph implements AutoCloseable {
  private static final String KIND = "graphs";

  private final CudaContext context;
  private final CUgraphExec handle;
  private boolean closed;

  private CudaGraph(CudaContext context, CUgraphExec handle) {
    this.context = context;
    this.handle = handle;
    context.opened(KIND);
  }

  /**
   * Runs {@code work}, whose launches on {@code stream} are recorded and not carried out. It must
   * not wait for the stream, nor copy from or to the host.
   *
   * @throws CudaException where something in it cannot be captured
   */
  public static CudaGraph capture(CudaStream stream, Runnable work) {
    CudaContext context = stream.context();
    context.makeCurrent();
    context.check(
        JCudaDriver.cuStreamBeginCapture(
            stream.handle(), CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL),
        "cuStreamBeginCapture");
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
    requireOpen();
    context.makeCurrent();
    context.check(JCudaDriver.cuGraphLaunch(handle, stream.handle()), "cuGraphLaunch");
  }

  /**
   * @throws IllegalStateException where it is closed already
   */
  @Override
  public void close() {
    requireOpen();
    context.makeCurrent();
    closed = true;
    context.closed(KIND);
    context.check(JCudaDriver.cuGraphExecDestroy(handle), "cuGraphExecDestroy");
  }

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException("the graph is closed");
    }
  }
}
