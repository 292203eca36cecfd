"""A page with three tabs over the Python package. Needs: pip install gradio pillow

    python examples/gradio_app.py
"""

import sys

import gradio as gr

from stable_diffusion import Error, Pipeline

pipeline = Pipeline(sys.argv[1] if len(sys.argv) > 1 else "")
info = pipeline.info


def draw(prompt, negative, steps, guidance, seed, image=None, mask=None, strength=None, progress=gr.Progress()):
    def report(p):
        if p.phase == "denoise":
            progress((p.step, p.steps), desc=f"{p.seconds_left:.0f} s left")

    settings = {"steps": int(steps), "guidance": guidance, "seed": int(seed), "progress": report}
    if image is not None and strength is not None:
        settings["strength"] = strength
    try:
        return pipeline(prompt, negative, image=image, mask=mask, **settings)
    except Error as error:
        raise gr.Error(str(error), print_exception=False) from error


def draw_painted(prompt, negative, steps, guidance, seed, editor, strength):
    if not editor or editor.get("background") is None:
        raise gr.Error("Load a picture and paint over what should change.")
    mask = editor["layers"][0].getchannel("A").point(lambda a: 255 if a else 0)
    return draw(prompt, negative, steps, guidance, seed, editor["background"].convert("RGB"), mask, strength)


def settings():
    return [
        gr.Textbox(label="Prompt", value=(info["objects"] or ["a red apple"])[0]),
        gr.Textbox(label="Negative prompt"),
        gr.Slider(1, 100, value=info["steps"], step=1, label="Steps"),
        gr.Slider(1, 20, value=info["guidance"], step=0.1, label="Guidance"),
        gr.Number(value=-1, precision=0, label="Seed (-1: another each time)"),
    ]


with gr.Blocks(title="Mezzotint") as app:
    gr.Markdown(f"# Mezzotint\n{info['family']}, {info['width']}x{info['height']}")
    with gr.Tab("Text"):
        inputs = settings()
        out = gr.Image(type="pil", label="Picture", format="png")
        gr.Button("Draw", variant="primary").click(draw, inputs, out)
    with gr.Tab("Image"):
        inputs = settings() + [gr.Image(type="pil", label="Start from"), gr.State(None)]
        inputs.append(gr.Slider(0.1, 1, value=0.8, label="Strength"))
        out = gr.Image(type="pil", label="Picture", format="png")
        gr.Button("Draw", variant="primary").click(draw, inputs, out)
    with gr.Tab("Inpaint"):
        inputs = settings() + [gr.ImageEditor(type="pil", label="Paint over what should change")]
        inputs.append(gr.Slider(0.1, 1, value=1, label="Strength"))
        out = gr.Image(type="pil", label="Picture", format="png")
        gr.Button("Draw", variant="primary").click(draw_painted, inputs, out)

if __name__ == "__main__":
    app.launch(server_name="127.0.0.1")
