package dev.sparkmla.plugin;

import dev.sparkmla.plugin.location.FolderPart;
import dev.sparkmla.plugin.location.ModelLocator;
import java.time.Duration;
import java.util.Arrays;
import java.util.stream.Collectors;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkEnv;
import org.apache.spark.api.plugin.DriverPlugin;
import org.apache.spark.api.plugin.ExecutorPlugin;
import org.apache.spark.api.plugin.PluginContext;
import org.apache.spark.api.plugin.SparkPlugin;
import org.apache.spark.deploy.SparkHadoopUtil;

/**
 * Brings the model into an application's executors: {@code
 * spark.plugins=dev.sparkmla.plugin.MlaPlugin}.
 *
 * <p>The driver's side checks the settings before anything runs. Each executor's side loads the
 * model as the executor starts and closes it as it ends; a failed load fails the executor. In local
 * mode, where both are one process, the driver's side loads it.
 */
public class MlaPlugin implements SparkPlugin {
  /** Made by Spark. */
  public MlaPlugin() {}

  @Override
  public final DriverPlugin driverPlugin() {
    return new MlaDriverPlugin(this::open);
  }

  @Override
  public final ExecutorPlugin executorPlugin() {
    return new MlaExecutorPlugin(
        this::open, System::exit, MlaPlugin::hostOfExecutor, MlaPlugin::waitFor);
  }

  /**
   * Makes an executor's engine.
   *
   * @param conf the application's settings
   * @param context the executor's place in Spark
   */
  protected TextGenerator open(MlaConf conf, PluginContext context) {
    return Engines.open(conf, ApplicationModel.folder(), context, GpuHost.OF_THIS_MACHINE);
  }

  /** As Spark names it; a plugin's context knows it later only. */
  private static String hostOfExecutor() {
    return SparkEnv.get().blockManager().blockTransferService().hostName();
  }

  private static void waitFor(Duration time) {
    try {
      Thread.sleep(time.toMillis());
    } catch (InterruptedException ended) {
      Thread.currentThread().interrupt();
    }
  }

  /** How a process of an application finds the model, of which it needs a part. */
  static ModelLocator locator(SparkConf conf, FolderPart part) {
    return new ModelLocator(
        MlaConf.of(conf).get(MlaConf.MODEL_CACHE_DIR),
        SparkHadoopUtil.get().newConfiguration(conf),
        System.getenv(),
        part);
  }

  /** Whether an application has this plugin, or a subclass of it. */
  public static boolean isIn(SparkConf conf) {
    return Arrays.stream(conf.get("spark.plugins", "").split(","))
        .anyMatch(name -> isThis(name.strip()));
  }

  /** Settings without this plugin, for an application that generates nothing. */
  public static SparkConf without(SparkConf conf) {
    return conf.clone()
        .set(
            "spark.plugins",
            Arrays.stream(conf.get("spark.plugins", "").split(","))
                .map(String::strip)
                .filter(name -> !isThis(name))
                .collect(Collectors.joining(",")));
  }

  /** Whether driver and executor are one JVM. */
  static boolean isLocal(SparkConf conf) {
    String master = conf.get("spark.master", "");
    return master.equals("local") || master.startsWith("local[");
  }

  private static boolean isThis(String name) {
    try {
      return MlaPlugin.class.isAssignableFrom(
          Class.forName(name, false, Thread.currentThread().getContextClassLoader()));
    } catch (ClassNotFoundException | LinkageError other) {
      return false;
    }
  }
}
