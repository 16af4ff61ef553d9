package dev.sparkmla.plugin;

import java.util.Map;
import java.util.function.BiFunction;
import org.apache.spark.api.plugin.ExecutorPlugin;
import org.apache.spark.api.plugin.PluginContext;

/** An executor's side: owns its engine. */
final class MlaExecutorPlugin implements ExecutorPlugin {
  private final BiFunction<MlaConf, PluginContext, TextGenerator> opener;

  /**
   * @param opener makes the engine
   */
  MlaExecutorPlugin(BiFunction<MlaConf, PluginContext, TextGenerator> opener) {
    this.opener = opener;
  }

  @Override
  public void init(PluginContext context, Map<String, String> extraConf) {
    ExecutorEngine.start(opener.apply(MlaConf.of(context.conf()), context));
  }

  @Override
  public void shutdown() {
    ExecutorEngine.stop();
  }
}
