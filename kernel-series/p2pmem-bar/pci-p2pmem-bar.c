// SPDX-License-Identifier: GPL-2.0-only
/*
 * Publish a memory BAR of any PCI function as peer-to-peer memory
 *
 * Copyright (C) The p2pdma authors
 *
 * For functions whose BAR is plain memory and that need no driver otherwise:
 * an FPGA board with DRAM behind a BAR, or QEMU's ivshmem. The driver has no
 * device table, the administrator says what to bind and thereby vouches that
 * the BAR is memory without side effects:
 *
 * # echo pci-p2pmem-bar > /sys/bus/pci/devices/0000:05:00.0/driver_override
 * # echo 0000:05:00.0 > /sys/bus/pci/drivers_probe
 * # ls /sys/bus/pci/devices/0000:05:00.0/p2pmem
 * allocate  available  published  size
 */

#include <linux/device.h>
#include <linux/ioport.h>
#include <linux/memremap.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/pci.h>
#include <linux/pci-p2pdma.h>
#include <linux/slab.h>
#include <linux/string.h>

#define DRIVER_NAME "pci-p2pmem-bar"

static char ids[1024] __initdata;
module_param_string(ids, ids, sizeof(ids), 0);
MODULE_PARM_DESC(ids, "PCI IDs to bind to, comma separated, each vendor:device[:subvendor[:subdevice[:class[:class_mask]]]]");

static char bar[1024];
module_param_string(bar, bar, sizeof(bar), 0644);
MODULE_PARM_DESC(bar, "BAR to publish: a number for all functions, or comma separated pairs like 0000:05:00.0=2; default: the largest memory BAR");

/*
 * Returns what the list @entries says about the function @name: its own entry
 * before one for all functions, -ENOENT if there is neither.
 */
static int p2pmem_bar_lookup(char *entries, const char *name)
{
	int any = -ENOENT, own = -ENOENT;
	char *entry;

	while ((entry = strsep(&entries, ","))) {
		char *value = strchr(entry, '=');
		int *found = value ? &own : &any;
		u8 number;

		if (value) {
			*value++ = '\0';
			if (strcmp(strim(entry), name))
				continue;
		} else {
			value = entry;
		}

		value = strim(value);
		if (!*value)
			continue;
		if (kstrtou8(value, 10, &number) || number >= PCI_STD_NUM_BARS)
			return -EINVAL;
		*found = number;
	}

	return own == -ENOENT ? any : own;
}

static int p2pmem_bar_from_param(struct pci_dev *pdev)
{
	char *entries;
	int ret;

	kernel_param_lock(THIS_MODULE);
	entries = kstrdup(bar, GFP_KERNEL);
	kernel_param_unlock(THIS_MODULE);
	if (!entries)
		return -ENOMEM;

	ret = p2pmem_bar_lookup(entries, pci_name(pdev));
	kfree(entries);
	return ret;
}

static int p2pmem_bar_largest(struct pci_dev *pdev)
{
	resource_size_t size = 0;
	int ret = -ENODEV;
	int i;

	for (i = 0; i < PCI_STD_NUM_BARS; i++) {
		if (!(pci_resource_flags(pdev, i) & IORESOURCE_MEM))
			continue;
		if (pci_resource_len(pdev, i) > size) {
			size = pci_resource_len(pdev, i);
			ret = i;
		}
	}

	return ret;
}

static int p2pmem_bar_choose(struct pci_dev *pdev)
{
	int ret;

	ret = p2pmem_bar_from_param(pdev);
	if (ret == -EINVAL)
		pci_err(pdev, "cannot tell the BAR from parameter bar=\n");
	if (ret != -ENOENT)
		return ret;

	ret = p2pmem_bar_largest(pdev);
	if (ret < 0)
		pci_err(pdev, "refused: it has no memory BAR\n");
	return ret;
}

static int p2pmem_bar_check(struct pci_dev *pdev, int nr)
{
	unsigned long align = memremap_compat_align();
	struct resource *res = &pdev->resource[nr];

	if (!(res->flags & IORESOURCE_MEM)) {
		pci_err(pdev, "refused: BAR %d is no memory BAR\n", nr);
		return -EINVAL;
	}

	if (!res->start || (res->flags & IORESOURCE_UNSET)) {
		pci_err(pdev, "refused: BAR %d has no address\n", nr);
		return -EINVAL;
	}

	if (!IS_ALIGNED(res->start, align) ||
	    !IS_ALIGNED(resource_size(res), align)) {
		pci_err(pdev,
			"refused: BAR %d %pR: start and size must be multiples of %lu KiB\n",
			nr, res, align / SZ_1K);
		return -EINVAL;
	}

	if (!(res->flags & IORESOURCE_PREFETCH))
		pci_warn(pdev, "BAR %d is not prefetchable, is it really memory?\n", nr);

	return 0;
}

static void p2pmem_bar_disable(void *pdev)
{
	pci_disable_device(pdev);
}

static int p2pmem_bar_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct device *dev = &pdev->dev;
	int nr, ret;

	nr = p2pmem_bar_choose(pdev);
	if (nr < 0)
		return nr;

	ret = p2pmem_bar_check(pdev, nr);
	if (ret)
		return ret;

	ret = pci_enable_device_mem(pdev);
	if (ret) {
		pci_err(pdev, "cannot enable memory decoding: %d\n", ret);
		return ret;
	}

	ret = devm_add_action_or_reset(dev, p2pmem_bar_disable, pdev);
	if (ret)
		return ret;

	if (!devm_request_mem_region(dev, pci_resource_start(pdev, nr),
				     pci_resource_len(pdev, nr), DRIVER_NAME)) {
		pci_err(pdev, "refused: BAR %d is in use\n", nr);
		return -EBUSY;
	}

	ret = pci_p2pdma_add_resource(pdev, nr, 0, 0);
	if (ret) {
		pci_err(pdev, "cannot make p2pmem of BAR %d: %d\n", nr, ret);
		return ret;
	}

	pci_p2pmem_publish(pdev, true);
	pci_info(pdev, "published BAR %d\n", nr);
	return 0;
}

/* No table, only dynamic ids; all that probe sets up is device managed. */
static struct pci_driver p2pmem_bar_driver = {
	.name	= DRIVER_NAME,
	.probe	= p2pmem_bar_probe,
};

static void __init p2pmem_bar_add_id(const char *text)
{
	unsigned int vendor, device, subvendor = PCI_ANY_ID, subdevice = PCI_ANY_ID;
	unsigned int class = 0, class_mask = 0;
	int ret;

	if (sscanf(text, "%x:%x:%x:%x:%x:%x", &vendor, &device, &subvendor,
		   &subdevice, &class, &class_mask) < 2) {
		pr_warn(DRIVER_NAME ": not a PCI ID: \"%s\"\n", text);
		return;
	}

	ret = pci_add_dynid(&p2pmem_bar_driver, vendor, device, subvendor,
			    subdevice, class, class_mask, 0);
	if (ret)
		pr_warn(DRIVER_NAME ": cannot add \"%s\": %d\n", text, ret);
}

static int __init p2pmem_bar_init(void)
{
	char *rest = ids;
	char *text;
	int ret;

	ret = pci_register_driver(&p2pmem_bar_driver);
	if (ret)
		return ret;

	while ((text = strsep(&rest, ",")))
		if (*text)
			p2pmem_bar_add_id(text);

	return 0;
}
module_init(p2pmem_bar_init);

static void __exit p2pmem_bar_exit(void)
{
	pci_unregister_driver(&p2pmem_bar_driver);
}
module_exit(p2pmem_bar_exit);

MODULE_DESCRIPTION("Publish a memory BAR of any PCI function as peer-to-peer memory");
MODULE_AUTHOR("The p2pdma authors");
MODULE_LICENSE("GPL");
