package dev.sparkmla.sql;

import dev.sparkmla.plugin.MlaConf;
import dev.sparkmla.plugin.MlaPlugin;
import dev.sparkmla.plugin.TextGenerator;
import org.apache.spark.api.plugin.PluginContext;

/** The plugin over a generator without a model: see {@link EchoGenerator}. */
public final class EchoPlugin extends MlaPlugin {
  @Override
  protected TextGenerator open(MlaConf conf, PluginContext context) {
    return EchoGenerator.INSTANCE;
  }
}
